"""`render kubernetes`: a configuration as a Kustomize base. Pure."""

from wsgigroups.interop.renderers.kubernetes.base import ClusterRequest, kubernetes_base
from wsgigroups.interop.renderers.kubernetes.checks import against_cluster
from wsgigroups.interop.renderers.kubernetes.groups_file import covered
from wsgigroups.interop.renderers.kubernetes.workload import OLDEST, KubernetesVersion

__all__ = ["OLDEST", "ClusterRequest", "KubernetesVersion", "against_cluster", "covered", "kubernetes_base"]
