"""Secrets of the sites, which exist in the benchmark only."""

from __future__ import annotations

DJANGO = "of the benchmark"
ALTOVIZ = "altoviz-secret-of-the-benchmark"
STRIPE = "whsec_stripe_secret_of_the_benchmark"
GITHUB = "github-secret-of-the-benchmark"

STRIPE_KEY = "sk_test_" + "0" * 24
STRIPE_ENDPOINT = "6f1b1a5c-0000-4000-8000-000000000001"
