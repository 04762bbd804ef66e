"""Keeps named objects in a place that several machines share: an S3 bucket, or a folder (``KOBE_STORE_URL``).

Objects are written whole or not at all. Two kinds of write decide between writers: one that succeeds only where there
is no such object yet, and one that succeeds only where the object is still the one that the writer has read.
"""

from kobe_platform.objects.interface import ListedObject, Objects, StoredObject
from kobe_platform.objects.opening import open_objects

__all__ = ["ListedObject", "Objects", "StoredObject", "open_objects"]
