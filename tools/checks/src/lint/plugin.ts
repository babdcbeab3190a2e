import { readCachedProjectGraph } from '@nx/devkit';
import { noAmbientInputs } from './ambient-inputs.ts';
import { folderDirection } from './folder-direction.ts';

// `@nx/enforce-module-boundaries` accepts every import when Nx has no project graph, so linting
// stops here instead.
try {
  readCachedProjectGraph();
} catch (error) {
  throw new Error(
    'No Nx project graph exists, so import boundaries cannot be checked. ' +
      'Run `npm run lint`, or `npx nx graph --print` once.',
    { cause: error },
  );
}

export default {
  meta: { name: 'partyline' },
  rules: { 'no-ambient-inputs': noAmbientInputs, 'folder-direction': folderDirection },
};
