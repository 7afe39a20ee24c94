// The `tidemark` command.
#include "client/cli/commands.h"

int main(int argc, char** argv) { return tidemark::cli::run_command_line(argc, argv); }
