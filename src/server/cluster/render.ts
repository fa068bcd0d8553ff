/**
 * The cluster and its policy as the API shows them: what was set, over the defaults.
 */
import type { CertificateName } from '#model/certificate-names.ts'
import { ClusterObject } from '#model/cluster.ts'
import { ClusterPolicy } from '#model/cluster-policy.ts'
import type { ClusterDocument } from '#model/documents/cluster.ts'
import { defaultsOf } from '#model/parse.ts'
import type { Held } from '#store/collection.ts'
import { chooseEngine } from '../databases/check.ts'
import { MASK } from '../databases/masking.ts'
import { wireTime } from '../databases/render.ts'
import { refuse } from '../errors.ts'
import { localAgent, type Parts } from '../parts.ts'

export function theCluster({ state }: Parts): Held<ClusterDocument> {
  return state.cluster.get('') ?? refuse('not_bootstrapped')
}

export function renderCluster(parts: Parts, cluster: ClusterDocument): Record<string, unknown> {
  const policy = { ...defaultsOf(ClusterPolicy), ...cluster.policy }
  return {
    ...defaultsOf(ClusterObject),
    ...cluster.settings,
    name: cluster.name,
    created_time: wireTime(cluster.createdAt),
    cnm_https_port: parts.apiPort,
    default_non_sharded_proxy_policy: policy.default_non_sharded_proxy_policy,
    default_sharded_proxy_policy: policy.default_sharded_proxy_policy,
    rack_aware: cluster.policy.rack_aware === true,
    wait_command: true,
    proxy_certificate: certificateOf(parts, 'proxy'),
    syncer_certificate: certificateOf(parts, 'syncer'),
    smtp_password: parts.state.mailSecret.get('')?.value.password ? MASK : '',
  }
}

function certificateOf({ state }: Parts, name: CertificateName): string {
  return state.certificates.get(name)?.value.certificate ?? ''
}

export function renderPolicy(parts: Parts, cluster: ClusterDocument): Record<string, unknown> {
  const newest = localAgent(parts).host.engines.length > 0 ? chooseEngine(parts, '').version : ''
  return {
    ...defaultsOf(ClusterPolicy),
    default_provisioned_redis_version: newest.split('.').slice(0, 2).join('.'),
    ...cluster.policy,
  }
}
