"""A Stripe that runs on your own machine: for trying Goalpost without an account, and for the tests."""
