# Tickets have numbers.
/^ticket-[0-9]+@example\.net$/  OK
