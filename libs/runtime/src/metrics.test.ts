import { expect, test } from 'vitest';
import { openLogger } from './logging.ts';
import { openMetrics, openReport } from './metrics.ts';

test('exports what use-cases report under the documented metric names', async () => {
  const metrics = openMetrics();
  const report = openReport(metrics, openLogger({ service: 'test', level: 'silent' }));
  report.observe('hangup_confirm_seconds', 0.3, { kind: 'bridge' });
  report.count('orphans_found', { owner: 'platform' });
  report.count('false_kill', { kind: 'inbound' });
  const text = await metrics.registry.metrics();
  expect(text).toContain('partyline_hangup_confirm_seconds_bucket{le="0.25",kind="bridge"} 0\n');
  expect(text).toContain('partyline_hangup_confirm_seconds_bucket{le="0.5",kind="bridge"} 1\n');
  expect(text).toContain('partyline_orphans_found_total{owner="platform"} 1\n');
  expect(text).toContain('partyline_false_kill_total{kind="inbound"} 1\n');
});

test('exports a gauge only after it was set', async () => {
  const metrics = openMetrics();
  expect(await metrics.registry.metrics()).not.toContain('partyline_legs_unconfirmed');
  for (const legs of [3, 0]) metrics.set('legs_unconfirmed', legs, { owner: 'platform' });
  metrics.set('oldest_unconfirmed_seconds', 1.5, { owner: 'tenant' });
  const text = await metrics.registry.metrics();
  expect(text).toContain('partyline_legs_unconfirmed{owner="platform"} 0\n');
  expect(text).toContain('partyline_oldest_unconfirmed_seconds{owner="tenant"} 1.5\n');
});
