import { z } from 'zod';
import { currencyCode, id, instant, label, micro, page } from '../fields.ts';
import { FraudLimits } from '../limits/fraud.ts';
import { Scopes } from '../keys/key.ts';
import { TenantLimits } from '../limits/limits.ts';

const name = label('What the tenant is called; only operators see it.', 'Acme');
const country = z.string().regex(/^[A-Z]{2}$/, 'must be two capital letters (ISO 3166-1 alpha-2)');
const homeCountry = country.meta({
  description: 'The country whose numbers it may ring. ISO 3166-1 alpha-2.',
  examples: ['US'],
});

/** What an operator sets for a tenant beside its name. */
const settings = {
  homeCountry,
  allowedCountries: z
    .array(country)
    .max(250, 'must name at most 250 countries')
    .meta({
      description: 'Countries whose numbers it may ring beside those of its home. ISO 3166-1 alpha-2.',
      examples: [['CA', 'GB']],
    }),
  limits: TenantLimits,
  fraudLimits: FraudLimits,
  currency: currencyCode('The currency that its money is counted in.'),
  maxMinutesPerMonth: z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(2_000_000_000, 'must be at most 2000000000')
    .nullable()
    .meta({
      description: 'How many minutes of connections it may use in a calendar month, UTC; null: no limit.',
      examples: [100_000],
    }),
  maxSpendMicroPerMonth: micro('How much it may spend.', '500000000')
    .nullable()
    .meta({
      description:
        'How much it may spend in a calendar month, UTC: millionths of its currency’s unit, as text; null: no limit.',
      examples: ['500000000'],
    }),
};

/** What a tenant has without being told, until an operator sets it. */
const further = {
  allowedCountries: settings.allowedCountries.optional(),
  limits: TenantLimits.optional().meta({ description: 'Its own limits; one that is left out stays as it is.' }),
  fraudLimits: FraudLimits.optional().meta({
    description: 'Its own thresholds of calls that look like a thief’s; one that is left out stays as it is.',
  }),
  currency: settings.currency.optional(),
  maxMinutesPerMonth: settings.maxMinutesPerMonth.optional(),
  maxSpendMicroPerMonth: settings.maxSpendMicroPerMonth.optional(),
};

/** The body of `POST /v1/operator/tenants`. */
export const CreateTenant = z
  .strictObject({
    name,
    homeCountry: homeCountry.default('US').meta({
      description: 'The country whose numbers it may ring. ISO 3166-1 alpha-2; the US unless you say otherwise.',
      examples: ['DE'],
    }),
    ...further,
  })
  .meta({ id: 'CreateTenant', description: 'A tenant to create. Only the name is needed.' });
export type CreateTenant = z.output<typeof CreateTenant>;

/** The body of `PATCH /v1/operator/tenants/{id}`. */
export const UpdateTenant = z
  .strictObject({ name: name.optional(), homeCountry: homeCountry.optional(), ...further })
  .refine((wanted) => Object.values(wanted).some((value) => value !== undefined), 'must name something to change')
  .meta({ id: 'UpdateTenant', description: 'What to change of a tenant; what is left out stays as it is.' });
export type UpdateTenant = z.output<typeof UpdateTenant>;

/** A tenant as operators see it. */
export const Tenant = z
  .object({
    id: id('ten', 'The tenant'),
    name: z.string().meta({ description: 'What it is called.', examples: ['Acme'] }),
    ...settings,
    state: z.enum(['active', 'suspended']).meta({
      description: '`suspended`: its keys are refused, its PINs let nobody in, and its sessions have been ended.',
      examples: ['active'],
    }),
    createdAt: instant('When it was created.'),
    suspendedAt: instant('Since when it is suspended; null while it is not.').nullable(),
  })
  .meta({ id: 'Tenant', description: 'An isolated customer of the platform.' });
export type Tenant = z.output<typeof Tenant>;

/** The reply to `POST /v1/operator/tenants`. */
export const CreatedTenant = z
  .object({
    tenant: Tenant,
    key: z.string().meta({
      description: 'Its first API key, which has the scope `admin`. Shown this once; nobody can have it again.',
      examples: ['pl_live_9f86d081884c7d659a2feaa0c55ad015_nVaaDrdyk6G1R2h6n2pPqvQkF3xJr1M8yqXWzG7t0Yk'],
    }),
  })
  .meta({ id: 'CreatedTenant', description: 'A new tenant, and the key to begin with.' });
export type CreatedTenant = z.output<typeof CreatedTenant>;

/** The query of `GET /v1/operator/tenants`. */
export const ListTenants = z.strictObject({
  state: z
    .enum(['active', 'suspended', 'all'], 'must be active, suspended or all')
    .default('all')
    .meta({ description: 'Only tenants in this state. Default `all`.', examples: ['suspended'] }),
  ...page('tenants', 'ten'),
});
export type ListTenants = z.output<typeof ListTenants>;

/** The reply to `GET /v1/operator/tenants`. */
export const TenantPage = z
  .object({
    tenants: z.array(Tenant).meta({ description: 'Newest first.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['ten_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({ id: 'TenantPage', description: 'A page of tenants.' });
export type TenantPage = z.output<typeof TenantPage>;

/** The reply to `DELETE /v1/operator/tenants/{id}`. */
export const DeletedTenant = z
  .object({ id: id('ten', 'The tenant that is no more') })
  .meta({ id: 'DeletedTenant', description: 'That there is no such tenant any more.' });
export type DeletedTenant = z.output<typeof DeletedTenant>;

/** The body of `POST /v1/operator/tenants/{id}/keys`. */
export const CreateTenantKey = z
  .strictObject({
    label: label('What the key is for.', 'Recovery').default('Made by an operator'),
    scopes: Scopes.default(['admin']),
  })
  .meta({ id: 'CreateTenantKey', description: 'A key to make for a tenant that has lost its own. Nothing is needed.' });
export type CreateTenantKey = z.output<typeof CreateTenantKey>;
