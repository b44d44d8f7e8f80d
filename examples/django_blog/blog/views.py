"""The pages. Those that change something leave the slow part to a command."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.forms import DateTimeInput, ModelForm
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.views.generic import CreateView, ListView

from blog.commands import mail_letter, publish
from blog.models import Letter, Post


class Posts(ListView):
    def get_queryset(self) -> QuerySet:
        return Post.objects.exclude(published_at=None)


class WritePost(CreateView):
    model = Post
    fields = ("title", "text", "publish_at")
    success_url = reverse_lazy("posts")

    def get_form(self, form_class: type[ModelForm] | None = None) -> ModelForm:
        form = super().get_form(form_class)
        form.fields["publish_at"].widget = DateTimeInput({"type": "datetime-local"})
        return form

    def form_valid(self, form: ModelForm) -> HttpResponse:
        response = super().form_valid(form)
        post = form.instance
        publish.schedule(args=(post.pk,), eta=post.publish_at)
        messages.success(self.request, f"“{post}” will be published.")
        return response


class WriteLetter(CreateView):
    model = Letter
    fields = ("sender", "text")
    success_url = reverse_lazy("posts")

    def form_valid(self, form: ModelForm) -> HttpResponse:
        response = super().form_valid(form)
        mail_letter(form.instance.pk)
        messages.success(self.request, "Thank you for your letter.")
        return response
