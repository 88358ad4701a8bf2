import { resolve } from 'node:path';
import { type Flags, parseFlags, type ServiceOrder } from '../config/flags.ts';
import { EXIT } from '../contract/index.ts';
import { STOP_LIMIT_MS } from '../stop-order.ts';
import { carryOut } from './carry-out.ts';
import { launchdInstallPlan, launchdUninstallPlan } from './launchd-plan.ts';
import { planText, typedCommand } from './plan-text.ts';
import {
  accountOf,
  configEntry,
  findInstalled,
  gatherFacts,
  isAdministrator,
  isSystemdBooted,
  macIds,
  namesIn,
  placed,
  windowsFolders,
} from './service-facts.ts';
import type { ServiceFacts, ServicePlan } from './service-plan.ts';
import {
  configEntryProblem,
  dataFolderProblem,
  isServicePlatform,
  type ServicePlatform,
  wishProblems,
} from './service-rules.ts';
import { systemdInstallPlan, systemdUninstallPlan } from './systemd-plan.ts';
import { windowsInstallPlan, windowsUninstallPlan } from './windows-plan.ts';

/** Exit code of an order that was refused or failed half-way. */
const FAILED = 1;

/**
 * `--install-service` and `--uninstall-service`: shows the plan (`--print`) or carries it out. Answers the exit code: 0 done or
 * shown, 1 refused or failed, 2 wrong flags.
 */
export async function runServiceOrder(argv: readonly string[], order: ServiceOrder): Promise<number> {
  const { flags, problems } = parseFlags(argv);
  const platform = order.print === undefined || order.print === 'here' ? process.platform : order.print;
  if (problems.length > 0) return refuse(problems, EXIT.configInvalid);
  if (!isServicePlatform(platform))
    return refuse(['There is no service for this system. Let its own service manager run the agent with --service.']);
  const isHere = platform === process.platform;
  const found = isHere ? findInstalled(platform, order.root) : ({ kind: 'absent' } as const);
  const installed = found.kind === 'read' ? found.installed : null;
  if (order.action === 'uninstall') {
    const unclear = removalProblem(found, order, flags);
    if (unclear !== null) return refuse([unclear]);
  }
  const facts = gatherFacts({ platform, argv, flags, order, installed });
  // of what is removed nothing can be wrong
  const account =
    order.action === 'install' ? accountOf({ platform, order, installed }) : { user: undefined, group: undefined };
  const wrong = wishProblems({ ...facts, ...account, platform });
  if (wrong.length > 0) return refuse(wrong, EXIT.configInvalid);
  const plan = makePlan(facts, order, platform);
  if (order.print !== undefined) {
    await write(planText(plan, platform));
    return EXIT.stopped;
  }
  const obstacle =
    (order.root === undefined ? findHindrance(order, argv) : null) ??
    findObstacle(facts, order, installed?.dataDir === facts.dataDir);
  if (obstacle !== null) return refuse([obstacle]);
  const ended = await carryOut(plan.steps, {
    root: order.root,
    say: (line) => void process.stdout.write(`${line}\n`),
  });
  if (ended.kind === 'failed') return refuse([ended.message]);
  await write(`\n${plan.after.map((line) => `${line}\n`).join('')}`);
  return EXIT.stopped;
}

function makePlan(facts: ServiceFacts, order: ServiceOrder, platform: ServicePlatform): ServicePlan {
  const stopLimitMs = STOP_LIMIT_MS;
  const isInstall = order.action === 'install';
  const isHere = platform === process.platform;
  switch (platform) {
    case 'linux': {
      const all = { ...facts, stopLimitMs };
      return isInstall ? systemdInstallPlan(all) : systemdUninstallPlan(all, order.removeData);
    }
    case 'darwin': {
      const ids = isHere ? macIds(facts.user, facts.group) : { uid: 499, gid: 499 };
      const all = { ...facts, ...ids, stopLimitMs };
      return isInstall ? launchdInstallPlan(all) : launchdUninstallPlan(all, order.removeData);
    }
    case 'win32': {
      const all = { ...facts, ...windowsFolders() };
      return isInstall ? windowsInstallPlan(all) : windowsUninstallPlan(all, order.removeData);
    }
    default:
      return platform satisfies never;
  }
}

/** Why it is not clear what would be removed; null when it is. The definition says what the service has. */
function removalProblem(
  found: ReturnType<typeof findInstalled>,
  { removeData }: ServiceOrder,
  { dataDir, config }: Flags,
): string | null {
  if (found.kind === 'unreadable' && removeData)
    return `${found.path} does not say which data folder the service has; nothing was changed. Remove the service without --remove-data, and the folder by hand.`;
  if (found.kind !== 'read') return null;
  const { installed } = found;
  for (const [flag, said, has] of [
    ['--data-dir', dataDir, installed.dataDir],
    ['--config', config, installed.configPath],
  ] as const) {
    if (said !== undefined && resolve(said) !== resolve(has))
      return `The service has ${has}, not ${resolve(said)}; nothing was changed. Leave ${flag} out: what is removed is what was installed.`;
  }
  return null;
}

/** Why this call may not, or cannot, change the service; null when it can. */
function findHindrance(order: ServiceOrder, argv: readonly string[]): string | null {
  const what = order.action === 'install' ? 'Installing a service' : 'Removing a service';
  if (!isAdministrator()) {
    const call = typedCommand([process.execPath, process.argv[1] ?? '', ...argv], process.platform);
    return process.platform === 'win32'
      ? `${what} needs an administrator; nothing was changed. Open a terminal with "Run as administrator" and call there: ${call}`
      : `${what} needs root; nothing was changed. Call it so: sudo ${call}`;
  }
  if (process.platform === 'linux' && order.action === 'install' && !isSystemdBooted())
    return 'This machine was not started by systemd (a container?); nothing was changed. Let what starts programs here run the command that --print shows behind ExecStart.';
  return null;
}

/** What of the files has to be mended before anything is changed; null when nothing. */
function findObstacle(facts: ServiceFacts, order: ServiceOrder, isNamed: boolean): string | null {
  const isRemoval = order.action === 'uninstall';
  if (isRemoval && !order.removeData) return null;
  const { dataDir, configPath, configFile } = facts;
  const names = namesIn(placed(dataDir, order.root));
  return (
    dataFolderProblem(names, { dataDir, isRemoval, isNamed }) ??
    configEntryProblem(configPath, configEntry(configPath)) ??
    configEntryProblem(configFile, configEntry(configFile))
  );
}

function refuse(problems: readonly string[], code: number = FAILED): number {
  process.stderr.write(problems.map((problem) => `${problem}\n`).join(''));
  return code;
}

/** Resolves when handed over, which on some systems comes after an exit otherwise. */
function write(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}
