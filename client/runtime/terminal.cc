#include "client/runtime/terminal.h"

#include <unistd.h>

namespace tidemark::client {

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

}  // namespace tidemark::client
