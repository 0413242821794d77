SELECT (SELECT prosecdef AND proowner = 'ledger_owner'::regrole FROM pg_proc WHERE oid = 'ledger.append_page'::regproc)
   AND has_function_privilege('ledger_writer', 'ledger.append_page(bigint, ledger.incoming[])', 'EXECUTE')
   AND NOT has_function_privilege('ledger_reader', 'ledger.append_page(bigint, ledger.incoming[])', 'EXECUTE');
