import type { Stage } from './stage.ts';

/** Every stage by name, in the order in which they run. Each is imported when it runs. */
export const STAGES = {
  model: async (): Promise<Stage> => (await import('./model.ts')).model,
  simulation: async (): Promise<Stage> => (await import('./simulate.ts')).simulate,
  arms: async (): Promise<Stage> => (await import('./simulate.ts')).controlArms,
  planted: async (): Promise<Stage> => (await import('./planted-bugs.ts')).plantedBugs,
  kills: async (): Promise<Stage> => (await import('./kill-points.ts')).killPoints,
  real: async (): Promise<Stage> => (await import('./real-processes.ts')).realProcesses,
  'self-hosted': async (): Promise<Stage> => (await import('./self-hosted.ts')).selfHosted,
} as const;
export type StageName = keyof typeof STAGES;
