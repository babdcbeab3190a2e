import { runSimulation } from './run.ts';
const [seed = '1', days = '1', history] = process.argv.slice(2);
const t = performance.now();
const { delays, histories, violations, ...r } = await runSimulation({ seed: Number(seed), days: Number(days), history: history !== undefined });
console.log(r, Object.fromEntries(Object.entries(delays).map(([k, d]) => [k, [d.count, d.percentile(0.5), d.percentile(0.99), d.max]])));
console.log(violations.slice(0, 15), violations.length, histories.join('\n\n'));
console.log(((performance.now() - t) / 1000).toFixed(2), 's', (r.legs / ((performance.now() - t) / 1000)).toFixed(0), 'legs/s');
