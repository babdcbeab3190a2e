/** Whose something is, where several customers of the vendor are played at once. */
import type { Account, EmulatorConfig } from '../config.ts';

/** The account of an application (by id) or of an OpenTok project (by key); the first account when nothing says otherwise. */
export function owningAccount(config: EmulatorConfig, id: string): Account {
  const owned =
    config.applications.find((application) => application.id === id) ??
    config.projects.find((project) => project.apiKey === id);
  return config.accounts.find((account) => account.apiKey === owned?.account) ?? config.account;
}
