"""The fault table: whole calls, and what one fault in the middle of each did to everybody."""
