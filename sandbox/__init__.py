"""A Stripe that runs on your own machine: for trying Goalpost, and for the tests."""
