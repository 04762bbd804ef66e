"""Reception: a delivery's way from the inbox to the lake – the three steps, their inputs, receipts, vintages.

``steps`` holds the steps that the assets call, ``inputs`` what each is made from, ``outcomes`` what the receipts say,
``vintages`` compares a revised delivery with the one in force. What is due is the plan's matter. Nothing here knows
Dagster.
"""

from kobe_platform.reception.outcomes import receipt_status
from kobe_platform.reception.steps import abstract_month, admit_month, take_in_delivery

__all__ = ["abstract_month", "admit_month", "receipt_status", "take_in_delivery"]
