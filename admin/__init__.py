"""Signing in, the dashboard, the forms, the exports: their place is kept, empty as yet."""
