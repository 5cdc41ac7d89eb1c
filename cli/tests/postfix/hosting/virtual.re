/^support-(.+)@hosting\.example$/   ${1}@support.example
