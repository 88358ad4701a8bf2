// The rule stands in the contract: the settings screen shows by it what a change will come to.
export {
  clusterOnlyInNode,
  type ResolvedSetting,
  type ResolvedTunables,
  resolveTunable,
  resolveTunables,
  resolveVisibilityTimeout,
  TIERS,
  type Tier,
  TUNABLE_NAMES,
  TUNABLES,
  type TunableName,
  VISIBILITY_TIMEOUT,
} from '../contract/index.ts';
