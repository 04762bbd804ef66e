"""Reception: a delivery's way from the inbox to the lake – what is due, the three steps, receipts, vintages.

``queue`` says which deliveries are due and in which order, ``steps`` holds the steps that the assets call, ``vintages``
compares a revised delivery with the one in force. Nothing here knows Dagster.
"""

from kobe_platform.reception.queue import Due, due_deliveries, receipt_status
from kobe_platform.reception.steps import abstract_month, admit_month, take_in_delivery

__all__ = ["Due", "abstract_month", "admit_month", "due_deliveries", "receipt_status", "take_in_delivery"]
