"""The directory's interface for programs: HSDS 3.2 (Open Referral) with a profile of our own."""
