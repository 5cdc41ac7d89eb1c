/@spam\.example$/         REJECT no spam
/^noreply@(.*)$/          WARN from $1
