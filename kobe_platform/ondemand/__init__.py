"""On-demand statistics: what analysts may ask, answered like a publication and recorded as one.

The form on screen stands in ``web``; counting and protection are those of ``statistics`` and ``disclosure``.
"""

from kobe_platform.ondemand.answers import Answer, answer
from kobe_platform.ondemand.menu import Menu, load_menu
from kobe_platform.ondemand.question import Question, understood

__all__ = ["Answer", "Menu", "Question", "answer", "load_menu", "understood"]
