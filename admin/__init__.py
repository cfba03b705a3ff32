"""Signing in, the dashboard, the forms and the exports: the place is kept, nothing stands here yet."""
