"""The shared kernel: it knows no domain and imports no other package of ours."""
