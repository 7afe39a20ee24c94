// What a client may do, as Metadata, DescribeCluster, DescribeTopicPartitions and DescribeGroups tell it
// (KIP-430): without access control, every operation that the resource has. One bit for each AclOperation.
#pragma once

#include <cstdint>

namespace tidemark::broker {

namespace acl_operation {

inline constexpr int32_t kRead = 1 << 3;
inline constexpr int32_t kWrite = 1 << 4;
inline constexpr int32_t kCreate = 1 << 5;
inline constexpr int32_t kDelete = 1 << 6;
inline constexpr int32_t kAlter = 1 << 7;
inline constexpr int32_t kDescribe = 1 << 8;
inline constexpr int32_t kClusterAction = 1 << 9;
inline constexpr int32_t kDescribeConfigs = 1 << 10;
inline constexpr int32_t kAlterConfigs = 1 << 11;
inline constexpr int32_t kIdempotentWrite = 1 << 12;

}  // namespace acl_operation

inline constexpr int32_t kTopicOperations = acl_operation::kRead | acl_operation::kWrite |
                                            acl_operation::kCreate | acl_operation::kDelete |
                                            acl_operation::kAlter | acl_operation::kDescribe |
                                            acl_operation::kDescribeConfigs | acl_operation::kAlterConfigs;
inline constexpr int32_t kClusterOperations = acl_operation::kCreate | acl_operation::kAlter |
                                              acl_operation::kDescribe | acl_operation::kClusterAction |
                                              acl_operation::kDescribeConfigs | acl_operation::kAlterConfigs |
                                              acl_operation::kIdempotentWrite;
inline constexpr int32_t kGroupOperations = acl_operation::kRead | acl_operation::kDelete |
                                            acl_operation::kDescribe | acl_operation::kDescribeConfigs |
                                            acl_operation::kAlterConfigs;

}  // namespace tidemark::broker
