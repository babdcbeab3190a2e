import { z } from 'zod';
import { currencyCode, id, instant, label, microAmount, next, page } from '../fields.ts';
import { countryCode } from '../iso.ts';
import { FraudLimits } from '../limits/fraud.ts';
import { Scopes } from '../keys/key.ts';
import { TenantLimits } from '../limits/limits.ts';

const name = label('The name of the tenant. Only operators see it.', 'Acme');
const homeCountry = countryCode().meta({
  description: 'The home country: the tenant may call its numbers. ISO 3166-1 alpha-2.',
  examples: ['US'],
});

/** The settings of a tenant besides its name. */
const settings = {
  homeCountry,
  allowedCountries: z
    .array(countryCode())
    .max(250, 'must have at most 250 countries')
    .meta({
      description: 'Further countries that the tenant may call. ISO 3166-1 alpha-2.',
      examples: [['CA', 'GB']],
    }),
  limits: TenantLimits,
  fraudLimits: FraudLimits,
  currency: currencyCode('The currency of budgets and costs.'),
  maxMinutesPerMonth: z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(2_000_000_000, 'must be at most 2000000000')
    .nullable()
    .meta({
      description: 'The maximum number of connection minutes per calendar month, UTC. Null: no limit.',
      examples: [100_000],
    }),
  maxSpendMicroPerMonth: microAmount('The budget.', '500000000')
    .nullable()
    .meta({
      description: 'The budget per calendar month, UTC, in millionths of the currency unit, as text. Null: no limit.',
      examples: ['500000000'],
    }),
};

/** Settings with defaults. */
const optionalSettings = {
  allowedCountries: settings.allowedCountries.optional(),
  limits: TenantLimits.optional().meta({
    description: 'Limits of this tenant. Limits that you leave out do not change.',
  }),
  fraudLimits: FraudLimits.optional().meta({
    description: 'Fraud thresholds of this tenant. Thresholds that you leave out do not change.',
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
      description: 'The home country: the tenant may call its numbers. ISO 3166-1 alpha-2. Default `US`.',
      examples: ['DE'],
    }),
    ...optionalSettings,
  })
  .meta({
    id: 'CreateTenant',
    examples: [{ name: 'Acme', homeCountry: 'DE', allowedCountries: ['AT', 'CH'] }],
    description: 'A tenant to create. Only `name` is required.',
  });
export type CreateTenant = z.output<typeof CreateTenant>;

/** The body of `PATCH /v1/operator/tenants/{id}`. */
export const UpdateTenant = z
  .strictObject({ name: name.optional(), homeCountry: homeCountry.optional(), ...optionalSettings })
  .refine((wanted) => Object.values(wanted).some((value) => value !== undefined), 'must have at least one field')
  .meta({
    id: 'UpdateTenant',
    examples: [{ maxSpendMicroPerMonth: '500000000', limits: { maxLiveRooms: 100 } }],
    description: 'The settings to change.',
  });
export type UpdateTenant = z.output<typeof UpdateTenant>;

/** A tenant as operators see it. */
export const Tenant = z
  .object({
    id: id('ten', 'The tenant'),
    name: z.string().meta({ description: 'The name of the tenant.', examples: ['Acme'] }),
    ...settings,
    state: z.enum(['active', 'suspended']).meta({
      description: '`suspended`: its keys and PINs are rejected, and its sessions are ended.',
      examples: ['active'],
    }),
    createdAt: instant('When the tenant was created.'),
    suspendedAt: instant('When the tenant was suspended. Null while it is active.').nullable(),
  })
  .meta({ id: 'Tenant', description: 'An isolated customer of the platform.' });
export type Tenant = z.output<typeof Tenant>;

/** The reply to `POST /v1/operator/tenants`. */
export const CreatedTenant = z
  .object({
    tenant: Tenant,
    key: z.string().meta({
      description: 'The first API key, with the scope `admin`. Shown only once.',
      examples: ['pl_live_9f86d081884c7d659a2feaa0c55ad015_nVaaDrdyk6G1R2h6n2pPqvQkF3xJr1M8yqXWzG7t0Yk'],
    }),
  })
  .meta({ id: 'CreatedTenant', description: 'A new tenant with its first API key.' });
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
    next: next('ten_3q2-7wAAQkV1bWJlclBhcn'),
  })
  .meta({ id: 'TenantPage', description: 'A page of tenants.' });
export type TenantPage = z.output<typeof TenantPage>;

/** The reply to `DELETE /v1/operator/tenants/{id}`. */
export const DeletedTenant = z
  .object({ id: id('ten', 'The deleted tenant') })
  .meta({ id: 'DeletedTenant', description: 'A deleted tenant.' });
export type DeletedTenant = z.output<typeof DeletedTenant>;

/** The body of `POST /v1/operator/tenants/{id}/keys`. */
export const CreateTenantKey = z
  .strictObject({
    label: label('The purpose of the key.', 'Recovery').default('Created by an operator'),
    scopes: Scopes.default(['admin']),
  })
  .meta({
    id: 'CreateTenantKey',
    examples: [{ label: 'Back office' }],
    description: 'A key to create for a tenant. No field is required.',
  });
export type CreateTenantKey = z.output<typeof CreateTenantKey>;
