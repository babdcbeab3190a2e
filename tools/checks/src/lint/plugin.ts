import { readCachedProjectGraph } from '@nx/devkit';
import { noAmbientInputs } from './ambient-inputs.ts';

/*
 * `@nx/enforce-module-boundaries` passes every import when Nx has not computed its project graph yet. A check that cannot fail is worse than
 * none, so linting stops here instead; `npm run lint` always has a graph.
 */
try {
  readCachedProjectGraph();
} catch (error) {
  throw new Error(
    'No Nx project graph yet, so import boundaries cannot be checked. Run `npm run lint`, or `npx nx graph --print` once.',
    {
      cause: error,
    },
  );
}

export default { meta: { name: 'partyline' }, rules: { 'no-ambient-inputs': noAmbientInputs } };
