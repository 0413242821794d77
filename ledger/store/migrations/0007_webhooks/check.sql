SELECT has_table_privilege('ledger_writer', 'webhooks.endpoints', 'UPDATE')
   AND NOT has_schema_privilege('ledger_reader', 'webhooks', 'USAGE')
