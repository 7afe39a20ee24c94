#include "tests/vectors/vector_check.h"

namespace tidemark::vectors {

Result<void> check_batch_vector(const nlohmann::json&) {
  return fail(ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT, "this build does not check record batches");
}

}  // namespace tidemark::vectors
