"""What a campaign is: its tiers, its periods, its ledger, and the progress that these add up to."""
