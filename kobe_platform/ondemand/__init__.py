"""Answers questions of analysts: counts a table by the menu, protects and audits it, and records it as a release.

The form on screen is in ``web``; counting and protection are those of ``statistics`` and ``disclosure``.
"""

from kobe_platform.ondemand.answers import Answer, answer
from kobe_platform.ondemand.menu import Menu, load_menu
from kobe_platform.ondemand.question import Question, understood

__all__ = ["Answer", "Menu", "Question", "answer", "load_menu", "understood"]
