import { z } from 'zod';
import { id, instant, page } from '../fields.ts';

const fields = (description: string) =>
  z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description, examples: [{ name: 'Acme' }] });

/** One line of the audit log. */
export const AuditEntry = z
  .object({
    id: id('aud', 'The entry'),
    tenantId: id('ten', 'Whose key it was')
      .nullable()
      .meta({
        description: 'The tenant whose key it was; null for an operator’s.',
        examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'],
      }),
    actor: z
      .object({
        kind: z
          .enum(['key', 'operator'])
          .meta({ description: 'A tenant’s API key, or an operator.', examples: ['key'] }),
        id: z.string().meta({
          description: 'The id of the key, or of the operator’s key; to a tenant every operator is `operator`.',
          examples: ['9f86d081884c7d659a2feaa0c55ad015'],
        }),
      })
      .meta({ description: 'Who asked.', examples: [{ kind: 'key', id: '9f86d081884c7d659a2feaa0c55ad015' }] }),
    operation: z
      .string()
      .meta({ description: 'What was asked for: the operation’s id in the OpenAPI document.', examples: ['endRoom'] }),
    targets: z.record(z.string(), z.string()).meta({
      description: 'Ids of what it was asked to be done to, and of what it made, by name.',
      examples: [{ roomId: 'room_3q2-7wAAQkV1bWJlclBhcn' }],
    }),
    changes: z
      .object({ before: fields('As it was.'), after: fields('As it is since.') })
      .nullable()
      .meta({
        description:
          'Fields that were changed, where the operation notes them; null where it does not. Never a secret.',
        examples: [{ before: { name: 'Acme' }, after: { name: 'Acme Ltd' } }],
      }),
    requestId: z.string().meta({
      description: 'The request’s id, as in its problem and in our logs.',
      examples: ['req_3q2-7wAAQkV1bWJlclBhcn'],
    }),
    source: z
      .string()
      .nullable()
      .meta({
        description: 'The network address that it came from; null where a tenant is shown what an operator did.',
        examples: ['203.0.113.7'],
      }),
    at: instant('When it was begun; written down before anything was done.'),
    endedAt: instant(
      'When it was answered; null while it is under way, and for good when our process died meanwhile.',
    ).nullable(),
    status: z
      .int()
      .nullable()
      .meta({ description: 'The HTTP status of the answer; null as `endedAt` is.', examples: [202] }),
    reason: z
      .string()
      .nullable()
      .meta({
        description: 'The reason of the problem that it was answered with; null when it was done.',
        examples: ['room-not-found'],
      }),
  })
  .meta({ id: 'AuditEntry', description: 'One change that somebody asked for, whether or not it was made.' });
export type AuditEntry = z.output<typeof AuditEntry>;

const filters = {
  from: instant('Only entries begun from then on.').optional(),
  to: instant('Only entries begun before then.').optional(),
  actor: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'must be the id of a key')
    .optional()
    .meta({
      description: 'Only what this key did, by its id; in a tenant’s log `operator`: what operators did to it.',
      examples: ['9f86d081884c7d659a2feaa0c55ad015'],
    }),
  operation: z
    .string()
    .regex(/^[a-zA-Z]{1,64}$/, 'must be an operation’s id')
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
    .regex(/^[\w-]{1,80}$/, 'must be a tenant’s id')
    .optional()
    .meta({
      description: 'Only what this tenant’s keys did, and what operators did to it.',
      examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'],
    }),
  ...filters,
});
export type ListAuditOfAll = z.output<typeof ListAuditOfAll>;

/** The reply to both. */
export const AuditPage = z
  .object({
    entries: z.array(AuditEntry).meta({ description: 'Newest first.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['aud_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({ id: 'AuditPage', description: 'A page of the audit log.' });
export type AuditPage = z.output<typeof AuditPage>;
