SELECT has_function_privilege('ledger_writer', (SELECT oid FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace AND proname = 'append_new'), 'EXECUTE')
   AND NOT has_function_privilege('ledger_reader', (SELECT oid FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace AND proname = 'append_new'), 'EXECUTE')
   AND has_function_privilege('ledger_reader', 'ledger.position_at(timestamptz)', 'EXECUTE')
   AND (SELECT h.clock = i.clock FROM ledger.head AS h, ledger.identity AS i)
   AND to_regclass('ledger.events_recorded_at') IS NULL;
