import type { Tenant, UpdateTenant } from '@partyline/contracts/tenants/tenant';
import { FRAUD_METERS, readTenantThreshold } from '@partyline/domain/fraud';
import type { TenantRow, TenantSettings } from '@partyline/store/tenants/tenants';

/** A tenant as operators see it. */
export const showTenant = (row: TenantRow): Tenant => ({
  id: row.id,
  name: row.name,
  homeCountry: row.home_country,
  allowedCountries: row.allowed_countries,
  limits: {
    maxLiveRooms: row.max_live_rooms,
    maxLiveLegs: row.max_live_legs,
    maxDialOutsPerMinute: row.max_dial_outs_per_minute,
    maxRequestsPerMinute: row.max_requests_per_minute,
  },
  fraudLimits: Object.fromEntries(FRAUD_METERS.map((meter) => [meter, readTenantThreshold(row.fraud_limits, meter)])),
  currency: row.currency,
  maxMinutesPerMonth: row.max_minutes_per_month,
  maxSpendMicroPerMonth: row.max_spend_micro_per_month,
  state: row.suspended_at === null ? 'active' : 'suspended',
  createdAt: row.created_at.toISOString(),
  suspendedAt: row.suspended_at?.toISOString() ?? null,
});

/** Settings in a request as columns. Settings that are left out stay out. */
export const tenantSettings = ({
  name,
  homeCountry,
  allowedCountries,
  limits,
  fraudLimits,
  currency,
  maxMinutesPerMonth,
  maxSpendMicroPerMonth,
}: UpdateTenant): Partial<TenantSettings> => {
  const wanted = {
    name,
    home_country: homeCountry,
    allowed_countries: allowedCountries,
    max_live_rooms: limits?.maxLiveRooms,
    max_live_legs: limits?.maxLiveLegs,
    max_dial_outs_per_minute: limits?.maxDialOutsPerMinute,
    max_requests_per_minute: limits?.maxRequestsPerMinute,
    fraud_limits: fraudLimits,
    currency,
    max_minutes_per_month: maxMinutesPerMonth,
    max_spend_micro_per_month: maxSpendMicroPerMonth,
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
};
