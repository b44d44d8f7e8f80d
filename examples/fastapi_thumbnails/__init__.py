"""A web application that makes thumbnails of pictures, in commands of huey-core."""
