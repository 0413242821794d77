SELECT has_column_privilege('ledger_reader', 'webhooks.endpoints', 'paused_at', 'SELECT')
   AND NOT has_column_privilege('ledger_reader', 'webhooks.endpoints', 'url', 'SELECT')
   AND NOT has_column_privilege('ledger_reader', 'webhooks.endpoints', 'secret', 'SELECT')
   AND NOT EXISTS (SELECT FROM webhooks.endpoints AS w JOIN ledger.events AS e USING (position) WHERE w.leaf IS DISTINCT FROM e.leaf)
