"""What makes a start short: large libraries imported in part, beside other work, and with what is known of them."""
