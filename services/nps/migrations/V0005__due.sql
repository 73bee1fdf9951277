-- A due date at the calendar's ends came to stand as infinite, and no list could be read any more; such dates are refused now.
UPDATE action SET due_at = NULL WHERE due_at IN ('infinity', '-infinity');
