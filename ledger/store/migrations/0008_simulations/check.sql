SELECT has_table_privilege('ledger_writer', 'simulations.jobs', 'DELETE')
   AND has_table_privilege('ledger_reader', 'simulations.jobs', 'SELECT')
   AND NOT has_table_privilege('ledger_reader', 'simulations.jobs', 'UPDATE');
