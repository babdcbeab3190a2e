/** Finds the Vonage account that owns an application or project. */
import { findApplication, type Account, type EmulatorConfig } from '../config.ts';

/**
 * Takes an application id or a project key. Returns the first account when no owner is configured.
 */
export function findOwningAccount(config: EmulatorConfig, id: string): Account {
  const owned = findApplication(config, id) ?? config.projects.find((project) => project.apiKey === id);
  return config.accounts.find((account) => account.apiKey === owned?.account) ?? config.account;
}
