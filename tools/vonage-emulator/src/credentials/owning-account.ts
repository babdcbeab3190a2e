/** Finds the Vonage account that owns an application or project. */
import type { Account, EmulatorConfig } from '../config.ts';

/**
 * Takes an application id or a project key. Returns the first account when no owner is configured.
 */
export function findOwningAccount(config: EmulatorConfig, id: string): Account {
  const owned =
    config.applications.find((application) => application.id === id) ??
    config.projects.find((project) => project.apiKey === id);
  return config.accounts.find((account) => account.apiKey === owned?.account) ?? config.account;
}
