import { z } from 'zod';
import { id, instant, next, page } from '../fields.ts';

const fields = (description: string) =>
  z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description, examples: [{ name: 'Acme' }] });

/** One entry of the audit log. */
export const AuditEntry = z
  .object({
    id: id('aud', 'The entry'),
    tenantId: id('ten', 'The tenant of the key')
      .nullable()
      .meta({
        description: 'The tenant of the key. Null for an operator key.',
        examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'],
      }),
    actor: z
      .object({
        kind: z
          .enum(['key', 'operator'])
          .meta({ description: '`key`: an API key of a tenant. `operator`: an operator key.', examples: ['key'] }),
        id: z.string().meta({
          description: 'The id of the key. Tenants see every operator as `operator`.',
          examples: ['9f86d081884c7d659a2feaa0c55ad015'],
        }),
      })
      .meta({
        description: 'The key of the request.',
        examples: [{ kind: 'key', id: '9f86d081884c7d659a2feaa0c55ad015' }],
      }),
    operation: z
      .string()
      .meta({ description: 'The id of the operation in the OpenAPI document.', examples: ['endRoom'] }),
    targets: z.record(z.string(), z.string()).meta({
      description: 'The ids in the path and in the reply, by name.',
      examples: [{ roomId: 'room_3q2-7wAAQkV1bWJlclBhcn' }],
    }),
    changes: z
      .object({ before: fields('The values before the change.'), after: fields('The values after the change.') })
      .nullable()
      .meta({
        description: 'The changed fields, without secrets. Null if nothing changed, or if it is not recorded.',
        examples: [{ before: { name: 'Acme' }, after: { name: 'Acme Ltd' } }],
      }),
    requestId: z.string().meta({
      description: 'The id of the request, as in its problem.',
      examples: ['req_3q2-7wAAQkV1bWJlclBhcn'],
    }),
    source: z
      .string()
      .nullable()
      .meta({
        description: 'The IP address of the client. Null when a tenant reads the entry of an operator.',
        examples: ['203.0.113.7'],
      }),
    at: instant('When the request started. The entry is stored before anything is changed.'),
    endedAt: instant('When the request was answered. Null while it is in progress, or if its process died.').nullable(),
    status: z
      .int()
      .nullable()
      .meta({ description: 'The HTTP status of the answer. Null if `endedAt` is null.', examples: [202] }),
    reason: z
      .string()
      .nullable()
      .meta({
        description: 'The reason of the problem. Null if the request succeeded.',
        examples: ['room-not-found'],
      }),
  })
  .meta({ id: 'AuditEntry', description: 'One requested change, whether or not it was made.' });
export type AuditEntry = z.output<typeof AuditEntry>;

const filters = {
  from: instant('Only entries that started at or after this time.').optional(),
  to: instant('Only entries that started before this time.').optional(),
  actor: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'must be the id of a key')
    .optional()
    .meta({
      description: 'Only entries of the key with this id. In the log of a tenant, `operator` selects all operators.',
      examples: ['9f86d081884c7d659a2feaa0c55ad015'],
    }),
  operation: z
    .string()
    .regex(/^[a-zA-Z]{1,64}$/, 'must be the id of an operation')
    .optional()
    .meta({ description: 'Only this operation.', examples: ['endRoom'] }),
  ...page('entries', 'aud'),
};

/** The query of `GET /v1/audit`. */
export const ListAudit = z.strictObject(filters);
export type ListAudit = z.output<typeof ListAudit>;

/** The query of `GET /v1/operator/audit`. */
export const ListAuditOfAll = z.strictObject({
  tenantId: z
    .string()
    .regex(/^[\w-]{1,80}$/, 'must be the id of a tenant')
    .optional()
    .meta({
      description: 'Only entries of this tenant: of its keys, and of operators that changed something for it.',
      examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'],
    }),
  ...filters,
});
export type ListAuditOfAll = z.output<typeof ListAuditOfAll>;

/** The reply to `GET /v1/audit` and `GET /v1/operator/audit`. */
export const AuditPage = z
  .object({
    entries: z.array(AuditEntry).meta({ description: 'Newest first.' }),
    next: next('aud_3q2-7wAAQkV1bWJlclBhcn'),
  })
  .meta({ id: 'AuditPage', description: 'A page of the audit log.' });
export type AuditPage = z.output<typeof AuditPage>;
