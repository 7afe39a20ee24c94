// What a command asks of its process: whether somebody looks at an output. Any thread.
#pragma once

namespace tidemark::client {

inline constexpr int kStandardInput = 0;
inline constexpr int kStandardOutput = 1;
inline constexpr int kStandardError = 2;

[[nodiscard]] bool is_terminal(int descriptor);

}  // namespace tidemark::client
