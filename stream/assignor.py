"""The assignor of a group in which one member holds every partition and the others stand by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment


class OneOwner(CooperativeStickyAssignor):  # type: ignore[misc]  # kafka-python has no types
    """Gives all partitions to one member: the one that holds most, else the first by its name.

    As in any cooperative assignment (KIP-429), a partition that another member still holds is
    given only once that member has let go of it.
    """

    name = "alluvia-one-owner"

    def assign(self, cluster: Any, members: Iterable[Any]) -> dict[str, Any]:
        """Return the assignment of each member; see kafka-python's AbstractPartitionAssignor."""
        held = {m.member_id: self.parse_member_metadata(m.metadata) for m in members}
        owner = min(held, key=lambda member: (-len(held[member].partitions), member))
        others = {tp for m, of in held.items() if m != owner for tp in of.partitions}
        given = defaultdict(list)
        for topic in sorted(set().union(*(of.subscription for of in held.values()))):
            for partition in sorted(cluster.partitions_for_topic(topic) or ()):
                if (topic, partition) not in others:
                    given[topic].append(partition)
        whole = ConsumerProtocolAssignment(self.version, sorted(given.items()), b"")
        nothing = ConsumerProtocolAssignment(self.version, [], b"")
        return {member: whole if member == owner else nothing for member in held}
