#include "base/page.h"

#include <cstring>

#include "base/check.h"

namespace colo {

bool is_zero_page(ByteView page) {
  COLO_CHECK(page.size() == page_bytes);
  // Compared with itself shifted by one byte: the first byte decides most pages at once, and
  // memcmp runs at the width of the machine for the rest.
  return page[0] == std::byte{0} && std::memcmp(page.data(), page.data() + 1, page_bytes - 1) == 0;
}

}  // namespace colo
