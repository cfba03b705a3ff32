"""Donations and Stripe: from the donate form to the entry in the ledger."""
