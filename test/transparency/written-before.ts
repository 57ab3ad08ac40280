/** As replicas from before there was a log write a receipt. */
export const writtenBefore = `INSERT INTO strait.receipt (tenant_id, request_id, started_at_ms, unsettled, document)
  SELECT one->>'tenantId', one->>'requestId', (one->>'startedAtMs')::bigint, one->>'end' = 'unsettled', one FROM CAST($1 AS jsonb) AS one
  ON CONFLICT (tenant_id, request_id) DO UPDATE SET unsettled = false, document = excluded.document`;
