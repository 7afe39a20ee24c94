// What tools ask about groups as a whole: ListGroups, DescribeGroups, DeleteGroups. Functions over the image
// and the running groups within a Turn; only DeleteGroups decides anything.
#pragma once

#include "broker/coordinator/membership.h"
#include "broker/coordinator/turn.h"

namespace tidemark::coordinator {

void list_groups(Turn& turn, const Groups& groups, RequestToken token, const ListGroupsRequest& request);
void describe_groups(Turn& turn, const Groups& groups, RequestToken token,
                     const DescribeGroupsRequest& request);
void delete_groups(Turn& turn, const Groups& groups, RequestToken token, const DeleteGroupsRequest& request);

}  // namespace tidemark::coordinator
